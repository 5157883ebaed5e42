/** A style sheet as text: Vite's form, which the package's build knows as well. */
declare module "*.css?inline" {
  const text: string;
  export default text;
}
