// Lint rules for the whole workspace. Types are checked by tsc, layering by dependency-cruiser: no rule here needs either.
import js from "@eslint/js";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["**/dist/**", "**/node_modules/**", "**/.turbo/**", "coverage/**", "docs/api/**"] },
  js.configs.recommended,
  tseslint.configs.strict,
  {
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      // Names are resolved by tsc, which also knows the platform's.
      "no-undef": "off",
      "eqeqeq": ["error", "always"],
      "no-var": "error",
      "prefer-const": "error",
      // A property may be an accessor, and assigning it its own value may do something.
      "no-self-assign": ["error", { props: false }],
      "no-constant-condition": ["error", { checkLoops: false }],
      "no-warning-comments": ["error", { terms: ["todo", "fixme", "xxx"], location: "anywhere" }],
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "separate-type-imports", disallowTypeAnnotations: false }],
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      // Table look-ups whose index was just checked are everywhere in an emulator.
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/no-empty-function": "off",
      "@typescript-eslint/no-invalid-void-type": "off",
      "@typescript-eslint/unified-signatures": "off",
      // A constructor that only narrows a type or carries a docstring does something for its reader.
      "@typescript-eslint/no-useless-constructor": "off",
    },
  },
  {
    files: ["types/*.d.ts"],
    rules: {
      "no-redeclare": "off",
      "@typescript-eslint/no-unused-vars": "off",
      "@typescript-eslint/no-extraneous-class": "off",
      "@typescript-eslint/no-namespace": "off",
    },
  },
);
