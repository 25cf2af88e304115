// The type of a body: Json, or what the caller claims. The compiler checks most of this file (npm run check).
import assert from "node:assert/strict";
import { test } from "node:test";
import { http, type Json, type Result, unwrap } from "std-net";
import { streamPair } from "../support/sockets.ts";

interface Order {
  id: number;
  tags: readonly string[];
}

/** A helper as programs have them. The body must not become `unknown` on the way through it. */
function must<T>(result: Result<T, string>): T {
  return result.unwrap();
}

function isOrder(body: Json): body is { id: number; tags: string[] } {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return false;
  const { id, tags } = body;
  return typeof id === "number" && Array.isArray(tags) && tags.every((tag) => typeof tag === "string");
}

test("a body is Json until the caller claims another type or has looked", () => {
  const order: Order = { id: 7, tags: ["new"] };
  const [client, server] = streamPair();
  const ask = () => {
    unwrap(
      http.write_request(client, {
        method: "PUT",
        url: "http://example/",
        body: { ...order, tags: [...order.tags] },
      }),
    );
  };
  const answer = (body: Json) =>
    unwrap(http.write_response(server, { status: 200, headers: { connection: "keep-alive" }, body }));

  for (let count = 0; count < 4; count++) ask();
  const request: http.ServerRequest = must(http.read_request(server));
  const body: Json = unwrap(http.read_request(server)).body;
  assert.ok(isOrder(request.body) && isOrder(body));
  const id: number = request.body.id;
  assert.equal(id, 7);
  // @ts-expect-error: Json has no fields before somebody has looked
  assert.equal(must(http.read_request(server)).body.id, 7);

  const claimed = must(http.read_request<Order>(server));
  const tags: readonly string[] = claimed.body.tags;
  assert.deepEqual(tags, ["new"]);
  const asType: http.ServerRequest<Order> = claimed;
  assert.equal(asType.body.id, 7);

  for (let count = 0; count < 4; count++) answer({ ...order, tags: [...order.tags] });
  assert.equal(unwrap(http.read_response<Order>(client)).body.id, 7);
  const plain: http.ClientResponse = must(http.read_response(client));
  assert.ok(isOrder(plain.body));
  const response: http.ClientResponse<Order> = must(http.read_response<Order>(client));
  assert.deepEqual(response.body, order);
  // @ts-expect-error: a claim is written, and not taken from what the value is put into
  const silent: Result<http.ClientResponse<Order>, string> = http.read_response(client);
  assert.ok(silent.isOk);

  // Nothing is checked: the claim is the caller's.
  answer("not an order");
  assert.equal(unwrap(http.read_response<Order>(client)).body, "not an order");

  const refused: Result<http.ClientResponse<Order>, string> = http.request<Order>({
    method: "GET",
    url: "http://127.0.0.1:1/",
  });
  assert.ok(refused.isErr);
  const ordinary: ReturnType<typeof http.request> = http.request({
    method: "GET",
    url: "http://127.0.0.1:1/",
  });
  const nothing: Json | undefined = ordinary.isOk ? ordinary.value.body : undefined;
  assert.equal(nothing, undefined);
  client.close();
  server.close();
});
