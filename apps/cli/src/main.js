/**
 * Starts the `doppel` command. Node keeps what it compiles of it (`NODE_COMPILE_CACHE` says where, `NODE_DISABLE_COMPILE_CACHE` that it must not), so
 * that it starts in half the time from the second time on; that has to be asked for before anything else is loaded.
 */
import module from "node:module";

module.enableCompileCache?.();
const { main } = await import("./process.ts");
// At its end there may be no time: machines are killed.
module.flushCompileCache?.();
await main();
