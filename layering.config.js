// The layering table of the house (docs/ARCHITECTURE.md draws it) as dependency-cruiser rules: a package imports packages of a
// lower row, and of its own row only those named beside it. `npx pnpm@12.21.0 layering` checks it.

/** Package -> row, and the packages of the same row that it may import. */
const table = {
  wasm: { row: 0 },
  persist: { row: 0 },
  clock: { row: 0, beside: ["persist"] },
  memory: { row: 0, beside: ["persist"] },
  x86: { row: 1 },
  semantics: { row: 1, beside: ["x86"] },
  storage: { row: 1 },
  network: { row: 1 },
  scheduler: { row: 1 },
  xen: { row: 1 },
  mmu: { row: 2 },
  cpu: { row: 2, beside: ["mmu"] },
  translator: { row: 3 },
  devices: { row: 3 },
  virtio: { row: 3, beside: ["devices"] },
  firmware: { row: 3 },
  guests: { row: 3 },
  vmm: { row: 4 },
  snapshot: { row: 5 },
  overcommit: { row: 5 },
  debug: { row: 5 },
  container: { row: 5 },
  doppel: { row: 6 },
};

// Tests, their fixtures, benchmarks and fuzzers stand beside the code but are no part of it, so that a test may compare with a higher package.
const beside = "\\.(test|bench|fuzz|fixture)\\.ts$";
const folder = (names) => `^packages/(${names.join("|")})/`;

const rows = Object.entries(table).map(([name, { row, beside: named = [] }]) => {
  const allowed = Object.keys(table).filter((other) => table[other].row < row || named.includes(other));
  return {
    name: `row-${row}-${name}`,
    comment: `@doppel/${name} stands in row ${row} and may import only: ${allowed.join(", ") || "nothing"}`,
    severity: "error",
    from: { path: `^packages/${name}/src/`, pathNot: beside },
    to: { path: "^packages/", pathNot: folder([name, ...allowed]) },
  };
});

export default {
  forbidden: [
    ...rows,
    {
      name: "no-cycle",
      comment: "Modules that import each other cannot be understood, or loaded, one after the other",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "nothing-imports-apps",
      comment: "Apps parse arguments, draw and print",
      severity: "error",
      from: { path: "^(packages/|apps/([^/]+)/)" },
      to: { path: "^apps/", pathNot: "^apps/$2/" },
    },
    {
      name: "portable",
      comment: "Packages know neither Node nor a browser; doppel/node does, and tests may",
      severity: "error",
      from: { path: "^packages/", pathNot: [beside, "^packages/testkit/", "^packages/doppel/src/node/"] },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "through-the-door",
      comment: "Another package is used through its index, never by a path into it",
      severity: "error",
      from: { path: "^(packages|apps)/([^/]+)/" },
      to: { path: "^packages/([^/]+)/src/", pathNot: ["^packages/$2/", "/src/index\\.ts$", "^packages/doppel/src/(node|browser)/index\\.ts$"] },
    },
    {
      name: "resolvable",
      comment: "An import that does not resolve is a missing dependency",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: "declared",
      comment: "A package that is imported stands in package.json",
      severity: "error",
      from: { path: "^packages/", pathNot: beside },
      to: { dependencyTypes: ["npm-no-pkg", "npm-unknown"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(^|/)(dist|node_modules)/" },
    tsPreCompilationDeps: true,
    combinedDependencies: true,
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["@doppel/source", "import", "node", "default", "types"],
      mainFields: ["module", "main", "types"],
    },
  },
};
