export {
  type Anatomy,
  type AnatomyPhase,
  type AnatomySource,
  type AnatomyStep,
  type AnatomyTotal,
  anatomyOf,
} from './anatomy.ts';
export { anatomyText } from './text.ts';
