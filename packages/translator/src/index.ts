export { type CodeSource, formRegion, type Region, type RegionBlock } from "./region.ts";
export { regionModule } from "./region-code.ts";
export { compileRequest, type CompileRequest, type ModuleCompiler } from "./region-message.ts";
export { Translator, type TranslatorCounters, type TranslatorOptions } from "./translator.ts";
export { ExplainError } from "./explain-error.ts";
export { Explainer, type ExplainedBlock, type ExplainedInstruction, type RegionSummary, type TranslationUnit, type WayOut } from "./explain.ts";
export { chainDot, EXPLAIN_PARTS, type ExplainPart, unitText } from "./explain-text.ts";
export { RegionCounts, type CountedRegion, type RegionCounter } from "./region-counts.ts";
