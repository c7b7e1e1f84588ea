// Programs that cannot start print one line with the reason, no secrets, and change nothing.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";

import { rpc, startAnvil, startDev, step } from "./harness.mjs";
import { run, temporaryFolder, turnpike } from "./programs.mjs";

/** A program that has not failed after this time has started. */
const FAILS_WITHIN_MS = 60_000;
const BAD_KEY = "0x5ecre7";
const NOT_A_DATABASE = "this is no database; it is only long enough to be taken for one. ".repeat(99);

/** Splits a command line into arguments; interpolated values may hold spaces. */
function words(literals, ...values) {
  const split = literals.map((text) => text.trim().split(/ +/).filter(Boolean));
  return split.flatMap((literal, index) =>
    index < values.length ? [...literal, `${values[index]}`] : literal,
  );
}

async function fails(t, args, message) {
  const { code, stdout, stderr } = await run(t, turnpike(), args, { timeoutMs: FAILS_WITHIN_MS });
  assert.ok(code !== 0 && code !== null, `ends with ${code}:\n${stdout}${stderr}`);
  assert.match(stderr, message);
  assert.doesNotMatch(stdout, /"ready"/);
  assert.doesNotMatch(stdout + stderr, /secret|5ecre7|panicked/, "no secrets, no panics");
}

/** A port without a listener. */
function unusedPort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

test("a program that cannot start gives the reason", async (t) => {
  const anvil = await startAnvil(t);
  const dev = await startDev(t, { l1Url: anvil.url });
  const folder = temporaryFolder(t);
  const at = (name) => join(folder, name);
  const write = (name, content) => {
    writeFileSync(at(name), typeof content === "string" ? content : JSON.stringify(content));
    return at(name);
  };
  const deadUrl = `http://127.0.0.1:${await unusedPort()}/secret-path`;
  const { port } = new URL(dev.l2Url);
  const address = `127.0.0.1:${port}`;
  const inUse = `cannot listen on ${address.replaceAll(".", "\\.")}`;

  await step(t, "a wrong L1 or port is refused", async (t) => {
    const database = (name) => words`--database ${at(name)}`;
    const ours = words`--genesis ${dev.genesis}`;
    const listen = words`--listen 127.0.0.1:0`;
    const cases = [
      ["dev: L1 unreachable", words`dev --data ${at("a")} --port 0 --l1-url ${deadUrl}`, /L1 is unreachable/],
      [
        "sequencer: L1 unreachable",
        [...words`sequencer --l1-url ${deadUrl}`, ...ours, ...database("b.db"), ...listen],
        /L1 is unreachable/,
      ],
      [
        "batcher: L1 unreachable",
        batcher(dev, at("c.db"), deadUrl, dev.accounts[7].privateKey),
        /L1 is unreachable/,
      ],
      [
        "challenger: L1 unreachable",
        [...words`challenger --l1-url ${deadUrl} --once`, ...ours],
        /L1 is unreachable/,
      ],
      [
        "sequencer: not an L1 of this chain",
        [...words`sequencer --l1-url ${dev.l2Url}`, ...ours, ...database("d.db"), ...listen],
        /L1 chain id is 4242, the genesis file names 31337/,
      ],
      ["dev: L2 port in use", words`dev --data ${at("e")} --port ${port} --l1-port 0`, new RegExp(inUse)],
      [
        "dev: L1 port in use",
        words`dev --data ${at("f")} --port 0 --l1-port ${port}`,
        new RegExp(`${inUse}.*--l1-port`),
      ],
      [
        "sequencer: port in use",
        [...words`sequencer --l1-url ${anvil.url} --listen ${address}`, ...ours, ...database("g.db")],
        new RegExp(inUse),
      ],
    ];
    for (const [what, args, message] of cases) await t.test(what, (t) => fails(t, args, message));
  });

  const sequencer = (genesis, database) =>
    words`sequencer --genesis ${genesis} --database ${database} --l1-url ${anvil.url} --listen 127.0.0.1:0`;
  const devOn = (data) => words`dev --data ${data} --port 0 --l1-url ${anvil.url} --l1-block-time 0`;

  await step(t, "a wrong file is refused", async (t) => {
    const genesis = JSON.parse(readFileSync(dev.genesis, "utf8"));
    const config = { ...genesis.config, baseFeeWindow: 0 };
    const undeployed = (await run(t, turnpike(), ["genesis"])).stdout;
    mkdirSync(at("no-genesis"));
    write("no-genesis/sequencer.db", "");
    const cases = [
      [
        "no genesis file",
        sequencer(at("none.json"), at("1.db")),
        /cannot read the genesis file .*none\.json/,
      ],
      [
        "not a genesis file",
        sequencer(write("list.json", []), at("2.db")),
        /list\.json is not a genesis file/,
      ],
      [
        "an inconsistent genesis",
        sequencer(write("zero.json", { ...genesis, config }), at("3.db")),
        /`baseFeeWindow` must not be zero/,
      ],
      [
        "a genesis without a deployment",
        sequencer(write("undeployed.json", undeployed), at("4.db")),
        /names no L1 contracts: deploy the chain first/,
      ],
      [
        "another genesis than L1's",
        sequencer(write("other.json", { ...genesis, timestamp: genesis.timestamp + 1 }), at("5.db")),
        /contract belongs to another chain/,
      ],
      ["a file that is not a database", sequencer(dev.genesis, write("garbled.db", NOT_A_DATABASE)), /garbled\.db/],
      [
        "a database without its genesis",
        words`dev --data ${at("no-genesis")} --port 0 --l1-port 0`,
        /holds a database but no genesis\.json.*--fresh/,
      ],
      [
        "an invalid key",
        batcher(dev, at("6.db"), anvil.url, BAD_KEY),
        /expected a private key: 32 bytes in hexadecimal/,
      ],
      ["an unknown flag", words`dev --lair`, /--lair/],
      ["dev: an unknown mode", words`dev --execution fast`, /--execution .*shadow/s],
      [
        "sequencer: no workers",
        [...sequencer(dev.genesis, at("7.db")), ...words`--execution-workers 0`],
        /--execution-workers .*1 to 256/,
      ],
      [
        "challenger: too many workers",
        words`challenger --l1-url ${anvil.url} --genesis ${dev.genesis} --execution-workers 257`,
        /--execution-workers .*1 to 256/,
      ],
    ];
    for (const [what, args, message] of cases) await t.test(what, (t) => fails(t, args, message));
  });

  await step(t, "another process's or chain's data is refused", async (t) => {
    const other = await startDev(t, { data: at("other"), l1Url: anvil.url });
    assert.notDeepEqual(other.contracts, dev.contracts, "it is another deployment");
    const genesis = readFileSync(other.genesis, "utf8");
    await t.test("in use", (t) => fails(t, devOn(other.data), /is in use by another process/));
    await t.test("in use, with --fresh", async (t) => {
      await fails(t, [...devOn(other.data), "--fresh"], /is in use by another process/);
      assert.equal(readFileSync(other.genesis, "utf8"), genesis, "nothing is deleted");
    });
    await other.stop();
    await t.test("of another genesis", (t) =>
      fails(t, sequencer(dev.genesis, join(other.data, "sequencer.db")), /belongs to another genesis/),
    );
  });

  await step(t, "the running process is not affected", async () => {
    const { address } = dev.accounts[0];
    assert.equal(await rpc(dev.l2Url, "eth_getTransactionCount", [address, "latest"]), "0x0");
    assert.deepEqual(await dev.stop(), { code: 0, signal: null });
  });
});

function batcher(dev, database, l1Url, key) {
  const journal = join(dev.data, "sequencer.db");
  const files = words`--genesis ${dev.genesis} --journal ${journal} --database ${database}`;
  return ["batcher", ...files, ...words`--l1-url ${l1Url} --key ${key}`];
}
