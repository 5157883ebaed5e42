import { App } from "./app.ts";

const app = new App(document.querySelector<HTMLElement>("#app")!);
// For the console of the browser's developer tools: `doppel.session.vm.registers()`.
Object.assign(globalThis, { doppel: app });
app.start();
