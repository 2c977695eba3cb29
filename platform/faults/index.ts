export { FaultInjector, PASS } from './fault-injector.ts';
