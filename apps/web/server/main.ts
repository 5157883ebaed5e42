/** `npx pnpm@12.21.0 web`: the development server, which offers the guests that are in the cache. Further arguments: a port. */
import { join } from "node:path";
import process from "node:process";
import { isCached, recipes } from "doppel/node";
import { createServer, type Plugin } from "vite";

const port = process.argv[2] === undefined ? undefined : Number(process.argv[2]);
if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65536)) {
  console.error(`web: ${process.argv[2]} is no port; a port is a number from 1 to 65535`);
  process.exit(2);
}
/** The documentation takes half a minute to build, so that only the site has it. */
const withoutDocs: Plugin = {
  name: "doppel-without-docs",
  configureServer: ({ middlewares }) => void middlewares.use("/docs", (_request, response) => {
    response.statusCode = 404;
    response.end("The development server has no documentation; npx pnpm@12.21.0 site builds it beside the app.\n");
  }),
};
const server = await createServer({
  configFile: join(import.meta.dirname, "../vite.config.ts"), configLoader: "native", plugins: [withoutDocs], ...(port === undefined ? {} : { server: { port, strictPort: true } }),
});
await server.listen();
server.printUrls();
const there = recipes.filter(isCached).map(({ name }) => name);
console.log(there.length > 0 ? `  Guests: embedded, ${there.join(", ")}` : "  Guests: embedded. More with: npx pnpm@12.21.0 doppel guest get debian-12-amd64");
