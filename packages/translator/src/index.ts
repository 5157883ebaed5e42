export { type CodeSource, formRegion, type Region, type RegionBlock } from "./region.ts";
export { regionModule } from "./region-code.ts";
export { Translator, type TranslatorCounters, type TranslatorOptions } from "./translator.ts";
