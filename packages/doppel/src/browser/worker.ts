/** The worker's whole script: one machine for the page that started it. */
import { type Endpoint, serveVm } from "../remote/serve-vm.ts";

serveVm(globalThis as unknown as Endpoint);
