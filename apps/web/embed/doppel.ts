/** `<doppel-vm>` for any page: `<script type="module" src="embed/doppel.js"></script>`. */
import { defineElement } from "doppel/browser";

export * from "doppel/browser";

defineElement();
