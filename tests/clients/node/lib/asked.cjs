"use strict";
// The model and the person behind a client: what the server asks them, and what it says unasked.

class Person {
  constructor(client, answers) {
    this.sampled = [];
    this.elicited = [];
    this.looked = 0;
    this.logs = [];
    this.toolLists = 0;
    this.promptLists = 0;
    this.resourceLists = 0;
    this.updates = [];
    client.setRequestHandler("sampling/createMessage", async ({ params }) => {
      this.sampled.push({ text: params.messages[0].content.text, max_tokens: params.maxTokens });
      return { role: "assistant", model: "a-model", content: { type: "text", text: answers.sample } };
    });
    client.setRequestHandler("elicitation/create", async ({ params }) => {
      const mode = params.mode ?? "form";
      this.elicited.push({ mode, message: params.message });
      if (mode === "url") return { action: "accept" };
      const fields = Object.keys(params.requestedSchema.properties);
      const inSteps = fields.every((field) => field in answers.steps);
      const content = inSteps ? Object.fromEntries(fields.map((field) => [field, answers.steps[field]])) : answers.form;
      return { action: "accept", content };
    });
    client.setRequestHandler("roots/list", async () => {
      this.looked += 1;
      return { roots: answers.roots };
    });
    const on = (method, keep) => client.setNotificationHandler(method, ({ params }) => keep(params));
    on("notifications/message", (params) => this.logs.push(params));
    on("notifications/tools/list_changed", () => (this.toolLists += 1));
    on("notifications/prompts/list_changed", () => (this.promptLists += 1));
    on("notifications/resources/list_changed", () => (this.resourceLists += 1));
    on("notifications/resources/updated", ({ uri }) => this.updates.push(uri));
  }
}

module.exports = { Person };
