export { TRACE_FORMATS, type TraceFormat, traceLines } from './formats.ts';
export { MessageTrace, type TracedMessage } from './message-trace.ts';
