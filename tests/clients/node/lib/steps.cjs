"use strict";
// The steps of ../../tour.json, by name. Each answers with what it saw.

const { LOG_LEVEL_META_KEY, SdkErrorCode, specTypeSchemas } = require("@modelcontextprotocol/client");
const { breakStreams, eventually, Unsupported } = require("./guide.cjs");

const texts = (result) => result.content.filter(({ type }) => type === "text").map(({ text }) => text);

/** What `call` made the person be asked, and what came of it. */
async function asking({ client, person }, step) {
  const before = person.elicited.length;
  const result = await client.callTool(step.call);
  return { asked: person.elicited.slice(before), text: texts(result)[0] };
}

/** The code of the JSON-RPC error that a request must end in. */
async function code(request) {
  try {
    await request;
  } catch (error) {
    return error.code;
  }
  return null;
}

/** A change that is switched on and off; the client is told through a session, or a stream that it opens. */
async function changing({ client, era }, step, { filter, told, listed, used }) {
  const listening = era === "modern" && (await client.listen(filter));
  const before = told();
  const seen = [];
  let use;
  for (const on of [true, false]) {
    const already = told();
    await client.callTool({ name: step.switch, arguments: { on } });
    await eventually(`${step.switch} ${on} is told`, () => told() > already);
    seen.push((await listed()).includes(step.item));
    if (on) use = await used();
  }
  const notified = told() - before;
  if (listening) await listening.close();
  return { notified, listed: seen, used: use };
}

const steps = {
  async connect({ client, login }) {
    return {
      revision: client.getNegotiatedProtocolVersion(),
      login: login.kind,
      server: client.getServerVersion()?.name,
    };
  },

  async discover({ client }, step) {
    const { supportedVersions } = await client.discover();
    return { supported: supportedVersions.includes(step.supported) };
  },

  async ping({ client }) {
    await client.ping();
    return { answered: true };
  },

  async list_tools({ client }, step) {
    const { tools } = await client.listTools();
    const names = tools.map(({ name }) => name);
    return { listed: step.names.filter((name) => names.includes(name)) };
  },

  async call_text({ client }, step) {
    return { texts: texts(await client.callTool(step.call)) };
  },

  async call_image({ client }, step) {
    const { content } = await client.callTool(step.call);
    const image = content.find(({ type }) => type === "image");
    const bytes = Buffer.from(image.data, "base64");
    return {
      types: content.map(({ type }) => type),
      mime_type: image.mimeType,
      png: bytes.subarray(0, 4).equals(Buffer.from("\x89PNG", "latin1")),
    };
  },

  async call_structured({ client }, step) {
    const { structuredContent } = await client.callTool(step.call);
    return { fields: Object.keys(structuredContent).sort() };
  },

  async call_error({ client }, step) {
    const result = await client.callTool(step.call);
    return {
      is_error: result.isError,
      names_field: texts(result)[0].includes("- a: "),
      unknown: await code(client.callTool({ name: step.unknown, arguments: {} })),
    };
  },

  async progress({ client }, step) {
    const progress = [];
    const result = await client.callTool(step.call, {
      onprogress: (now) => progress.push([now.progress, now.total, now.message]),
    });
    return { progress, texts: texts(result) };
  },

  async logging({ client, person, era }, step) {
    const logged = async (level) => {
      const before = person.logs.length;
      const own = () =>
        person.logs.slice(before).filter((log) => log.logger === step.logger && log.data.message === "operation started");
      const params = structuredClone(step.call);
      if (era === "modern") params._meta = { [LOG_LEVEL_META_KEY]: level };
      else await client.setLoggingLevel(level);
      await client.callTool(params);
      if (level === "debug") await eventually("a debug message", () => own().length > 0);
      return own().map((log) => log.data.message);
    };
    return { debug: await logged("debug"), error: await logged("error") };
  },

  async sampling({ client, person }, step) {
    const before = person.sampled.length;
    const result = await client.callTool(step.call);
    return { asked: person.sampled.slice(before), texts: texts(result) };
  },

  elicitation_form: asking,
  elicitation_steps: asking,
  elicitation_url: asking,

  async roots({ client, person }, step) {
    const before = person.looked;
    const result = await client.callTool(step.call);
    return { asked: person.looked - before, text: texts(result)[0] };
  },

  async mirrored_headers({ client }, step) {
    const seen = [];
    for (const region of step.regions) {
      const { name, arguments: others } = step.call;
      seen.push(...texts(await client.callTool({ name, arguments: { region, ...others } })));
    }
    return { texts: seen };
  },

  tool_list_changes: (visit, step) =>
    changing(visit, step, {
      filter: { toolsListChanged: true },
      told: () => visit.person.toolLists,
      listed: async () => (await visit.client.listTools()).tools.map(({ name }) => name),
      used: async () => texts(await visit.client.callTool({ name: step.item, arguments: {} }))[0],
    }),

  prompt_list_changes: (visit, step) =>
    changing(visit, step, {
      filter: { promptsListChanged: true },
      told: () => visit.person.promptLists,
      listed: async () => (await visit.client.listPrompts()).prompts.map(({ name }) => name),
      used: async () => (await visit.client.getPrompt({ name: step.item })).messages[0].content.text,
    }),

  async list_resources({ client }, step) {
    const uris = (await client.listResources()).resources.map(({ uri }) => uri);
    return { listed: step.uris.filter((uri) => uris.includes(uri)), distinct: new Set(uris).size === uris.length };
  },

  async read_resources({ client }, step) {
    const read = async (uri) => (await client.readResource({ uri })).contents[0];
    return {
      text: (await read(step.text)).text,
      blob: Buffer.from((await read(step.blob)).blob, "base64").toString(),
      missing: step.not_found.includes(await code(read(step.missing))),
    };
  },

  async resource_templates({ client }, step) {
    const { resourceTemplates } = await client.listResourceTemplates();
    return { listed: resourceTemplates.some(({ uriTemplate }) => uriTemplate === step.template) };
  },

  async resource_updates({ client, person, era }, step) {
    const before = person.updates.length;
    const { uri } = step;
    const listening = era === "modern" && (await client.listen({ resourceSubscriptions: [uri] }));
    if (!listening) await client.subscribeResource({ uri });
    await eventually("two updates", () => person.updates.length >= before + 2);
    if (listening) await listening.close();
    else await client.unsubscribeResource({ uri });
    return { updated: person.updates.slice(before, before + 2) };
  },

  async prompts({ client }, step) {
    const names = (await client.listPrompts()).prompts.map(({ name }) => name);
    const { messages } = await client.getPrompt(step.get);
    return {
      listed: step.names.filter((name) => names.includes(name)),
      roles: messages.map(({ role }) => role),
      types: messages.map(({ content }) => content.type),
      text: messages[0].content.text,
    };
  },

  async completion({ client }, { prompt, template, dependent }) {
    const complete = async (ref, argument, known) => {
      const context = known && { arguments: known };
      return (await client.complete({ ref, argument, ...(context && { context }) })).completion.values;
    };
    return {
      prompt: await complete({ type: "ref/prompt", name: prompt.name }, prompt.argument),
      template: await complete({ type: "ref/resource", uri: template.uri }, template.argument),
      dependent: await complete({ type: "ref/prompt", name: dependent.name }, dependent.argument, dependent.known),
    };
  },

  async cancellation({ client }, step) {
    const giveUp = new AbortController();
    let progressed = false;
    const call = client.callTool(step.call, {
      signal: giveUp.signal,
      onprogress: () => {
        progressed = true;
        giveUp.abort();
      },
    });
    const ended_early = await call.then(
      () => false,
      () => giveUp.signal.aborted,
    );
    const then = texts(await client.callTool({ name: "echo", arguments: { message: "still here" } }));
    return { progressed, ended_early, then };
  },

  async resuming({ client, person }, step) {
    const progress = [];
    let broken;
    const result = await client.callTool(step.call, {
      onprogress: (now) => {
        progress.push(now.progress);
        broken ??= breakStreams();
      },
    });
    const before = person.resourceLists;
    await client.callTool({ name: "gzipAsResource", arguments: { name: "later.gz", data: "later" } });
    await eventually("a change after the break", () => person.resourceLists > before);
    return { ...(await broken), progress, texts: texts(result), told_later: true };
  },

  async task({ client, person, era }, step) {
    const schemas = specTypeSchemas;
    const begin = async (call) => {
      const request = { method: "tools/call", params: era === "modern" ? call : { ...call, task: { ttl: 60_000 } } };
      try {
        return (await client.request(request, schemas.CreateTaskResult)).task;
      } catch (error) {
        if (era === "modern" && error.code === SdkErrorCode.UnsupportedResultType) throw new Unsupported(error.message);
        throw error;
      }
    };
    const about = (method, taskId, schema) => client.request({ method, params: { taskId } }, schema);
    const reaches = async (taskId, ...wanted) => {
      const end = Date.now() + 20_000;
      for (;;) {
        const { status } = await about("tasks/get", taskId, schemas.GetTaskResult);
        if (wanted.includes(status)) return status;
        if (Date.now() > end) throw new Error(`the task does not get on: ${status}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    const task = await begin(step.call);
    const statuses = [task.status, await reaches(task.taskId, "input_required")];
    const before = person.elicited.length;
    // Waits for the end, and is where the question comes.
    const result = await about("tasks/result", task.taskId, schemas.CallToolResult);
    statuses.push(await reaches(task.taskId, "completed", "failed", "cancelled"));
    const endless = await begin(step.endless);
    await about("tasks/cancel", endless.taskId, schemas.CancelTaskResult);
    return {
      statuses,
      asked: person.elicited.slice(before),
      title: texts(result)[0].split("\n")[0],
      endless: await reaches(endless.taskId, "completed", "failed", "cancelled"),
    };
  },

  async goodbye({ client, transport, era }) {
    if (era === "legacy") await transport.terminateSession();
    await client.close();
    return { left: true };
  },
};

module.exports = { steps };
