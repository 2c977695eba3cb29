export {
  type Anatomy,
  type AnatomyPhase,
  AnatomyReader,
  type AnatomySource,
  type AnatomyStep,
  type AnatomyTotal,
} from './anatomy.ts';
export { anatomyText } from './text.ts';
