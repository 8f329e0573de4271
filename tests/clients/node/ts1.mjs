// The TypeScript SDK 1.x; the argument is the transport, "http" or "sse".
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { work } from "./work.mjs";

const { URL_, KEY } = process.env;
const Transport = process.argv[2] === "sse" ? SSEClientTransport : StreamableHTTPClientTransport;
const transport = new Transport(new URL(URL_), { requestInit: { headers: { Authorization: `Bearer ${KEY}` } } });
const client = new Client({ name: "ts1", version: "1.0" });
await client.connect(transport);
const told = await work(client, (params, options) => client.callTool(params, undefined, options));
console.log(JSON.stringify({ ...told, version: transport.protocolVersion, session: Boolean(transport.sessionId) }));
await client.close();
