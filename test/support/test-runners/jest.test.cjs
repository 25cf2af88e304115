// A file of tests in CommonJS, which Jest runs without a flag.
const { error_code, http, NetError, Result, TcpListener, TcpStream, Unit } = require("std-net");

test("sockets and HTTP work", () => {
  const listener = TcpListener.bind("127.0.0.1:0").unwrap();
  const client = TcpStream.connect(listener.local_addr().unwrap()).unwrap();
  const server = listener.accept().unwrap();
  http
    .write_request(client, { method: "PUT", url: "http://a/", body: { n: [1, null, { x: "y" }] } })
    .unwrap();
  expect(http.read_request(server).unwrap().body).toEqual({ n: [1, null, { x: "y" }] });
  expect(http.write_response(server, { status: 200, body_bytes: Buffer.from("ab") }).value).toBe(Unit);
  expect(String(http.read_response(client, { decode_body: "bytes" }).unwrap().body)).toBe("ab");
  expect(client).toBeInstanceOf(TcpStream);
  for (const each of [client, server, listener]) each.close();
});

test("errors are of the file's own classes", () => {
  const refused = TcpStream.connect("127.0.0.1:1");
  expect(error_code(refused.error)).toBe("ECONNREFUSED");
  expect(() => refused.unwrap()).toThrow(NetError);
  expect(() => refused.unwrap()).toThrow(Error);
  expect(Result.ok(1)).toEqual(Result.ok(1));
});

test("a member can be replaced", () => {
  const spy = jest.spyOn(TcpStream, "connect").mockReturnValue(Result.err("no"));
  expect(TcpStream.connect("127.0.0.1:1").error).toBe("no");
  spy.mockRestore();
  const request = jest.spyOn(http, "request").mockReturnValue(Result.err("none"));
  expect(http.request({}).error).toBe("none");
  request.mockRestore();
  expect(http.request(null).error).toBe("request must be a JSON object");
});
