// Runs the inspector's command line once per line of standard input (a JSON list of arguments), in one
// process: starting Node anew for each call would cost more than the call.
import { createInterface } from "node:readline";

const { runCli } = await import(process.argv[2]);
for await (const line of createInterface({ input: process.stdin })) {
  let failed = "";
  try {
    await runCli(["node", "mcp-inspector", ...JSON.parse(line)]);
  } catch (error) {
    failed = String(error?.message ?? error) || "failed";
  }
  process.stdout.write(`\n${JSON.stringify({ failed })}\n`);
}
