export { describeTopology } from './describe.ts';
export {
  type Expectation,
  type ExpectationOutcome,
  evaluateExpectation,
  parseExpectation,
} from './expectation.ts';
export {
  count,
  type FieldKind,
  inputFile,
  kindOfField,
  oneOfNames,
  rate,
  size,
  time,
} from './fields.ts';
export { jsonSchemaOf, scenarioSchema, scenarioSchemaText } from './json-schema.ts';
export { type LoadedScenario, loadScenario, parseScenario, type ScenarioText } from './loader.ts';
export { nearestName } from './nearest.ts';
export { formatProblem, type Problem, ScenarioError, type ScenarioErrorCode } from './problem.ts';
export { listProfiles, type ProfileSummary, parseProfile, profileNames } from './profile.ts';
export { type ValueSchema, valueText } from './schema-text.ts';
