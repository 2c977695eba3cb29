export { consoleEcho } from './console-echo.ts';
export { entropy } from './entropy.ts';
export { fio } from './fio.ts';
export { gpioToggle } from './gpio-toggle.ts';
export { hwclock } from './hwclock.ts';
export { phaseChart } from './phase-chart.ts';
