export { assembleModel, createModel, isOfficialBuffer, type Model, type ModelParts, type ModelSite } from "./model.ts";
export { type StepResult, type TrainState, trainableParameters, trainStep } from "./step.ts";
