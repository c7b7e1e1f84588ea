// Reads server-sent events.
import { until } from "./harness.mjs";
import { onTestEnd } from "./programs.mjs";

/** Opens a stream. `events` holds its events in order, each with name, id and data. */
export async function openEvents(t, url, { lastEventId } = {}) {
  const controller = new AbortController();
  const headers = lastEventId ? { "last-event-id": lastEventId } : {};
  const response = await fetch(url, { headers, signal: controller.signal });
  const stream = new Events(response, controller);
  onTestEnd(t, () => stream.close());
  return stream;
}

class Events {
  events = [];
  #controller;
  #ended;

  constructor(response, controller) {
    Object.assign(this, { status: response.status, mediaType: response.headers.get("content-type") });
    this.#controller = controller;
    this.#ended = this.#read(response.body).catch((error) => {
      if (error.name !== "AbortError") this.failure = error;
    });
  }

  async #read(body) {
    let text = "";
    for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const blocks = text.split("\n\n");
      text = blocks.pop();
      for (const block of blocks) this.#take(block.split("\n"));
    }
  }

  #take(lines) {
    const field = (name) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
    const data = field("data");
    if (data) this.events.push({ name: field("event"), id: field("id"), data: JSON.parse(data) });
  }

  named(name) {
    return this.events.filter((event) => event.name === name);
  }

  /** Waits for an event with this name for which the predicate holds. */
  async has(name, predicate = () => true) {
    const found = () => this.named(name).find(({ data }) => predicate(data));
    return until(found, `an event ${name}, after ${JSON.stringify(this.events).slice(0, 2_000)}`);
  }

  /** Closes the stream. */
  async close() {
    this.#controller.abort();
    await this.#ended;
  }

  /** Waits until the server has ended the stream. */
  async ended() {
    await this.#ended;
    if (this.failure) throw this.failure;
  }
}
