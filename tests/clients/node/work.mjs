// What every client is asked to do. `callTool` takes (params, options): the two SDKs differ there.
export async function work(client, callTool) {
  const call = async (name, args, options) => (await callTool({ name, arguments: args }, options)).structuredContent;
  const tools = [];
  let cursor;
  do {
    const page = await client.listTools({ cursor });
    tools.push(...page.tools.map((tool) => tool.name));
    cursor = page.nextCursor;
  } while (cursor);
  const menu = await call("list_menu_items", { limit: 2 });
  const goal = await call("create_goal", { description: "Greet from TypeScript" });
  await call("cache_set", { key: "ts", value: { text: "größer" } });
  const cached = await call("cache_get", { key: "ts" });
  const read = await client.readResource({ uri: "restaurant://menu_items/MARGHE01" });
  const progress = [];
  await call(
    "generate_report",
    { report_type: "sales", ...JSON.parse(process.env.PERIOD) },
    { onprogress: ({ progress: done, total }) => progress.push([done, total]) },
  );
  const refused = await callTool({ name: "cache_get", arguments: {} });
  let unknown = "";
  try {
    unknown = JSON.stringify(await callTool({ name: "nothing_at_all", arguments: {} }));
  } catch (error) {
    unknown = error.message;
  }
  return {
    server: client.getServerVersion()?.name, tools, menu, goal, cached, resource: read.contents[0].text, progress,
    refused: refused.isError && refused.content[0].text, unknown,
  };
}
