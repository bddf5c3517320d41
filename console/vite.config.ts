import { readFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";

/** The bundle contains Preact; its licence asks that the notice travels with it. */
function licenceNotice(): Plugin {
  return {
    name: "hearth-licence-notice",
    generateBundle() {
      const notice = readFileSync(new URL("node_modules/preact/LICENSE", import.meta.url), "utf8");
      this.emitFile({ type: "asset", fileName: "assets/licences.txt", source: `This console contains Preact:\n\n${notice}` });
    },
  };
}

export default defineConfig({
  plugins: [licenceNotice()],
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
  build: {
    target: "es2022",
    sourcemap: false,
    // `default-src 'self'` refuses data: addresses, so nothing may be inlined as one.
    assetsInlineLimit: 0,
    // One script, one style sheet: there is nothing to preload, and the polyfill would be dead weight.
    modulePreload: false,
    reportCompressedSize: false,
  },
  server: {
    // `npm run mock` answers here; see e2e/run-mock.mjs.
    proxy: { "/api": { target: "https://127.0.0.1:8443", secure: false, changeOrigin: true } },
  },
});
