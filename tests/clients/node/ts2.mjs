// The TypeScript client 2.x; the argument is its negotiation mode as JSON, null for its own default.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { work } from "./work.mjs";

const { URL_, KEY } = process.env;
const mode = JSON.parse(process.argv[2]);
const transport = new StreamableHTTPClientTransport(new URL(URL_), {
  requestInit: { headers: { Authorization: `Bearer ${KEY}` } },
});
const client = new Client({ name: "ts2", version: "1.0" }, mode ? { versionNegotiation: { mode } } : {});
await client.connect(transport);
const told = await work(client, (params, options) => client.callTool(params, options));
console.log(JSON.stringify({ ...told, version: client.getNegotiatedProtocolVersion() }));
await client.close();
