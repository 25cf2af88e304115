# Python's own servers, in Pyodide: socketserver with a selector, then one request of http.server.
import http.server
import socketserver


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line.upper())


class Backwards(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[::-1])

    def log_message(self, *arguments):
        pass


with socketserver.TCPServer(("127.0.0.1", 0), Echo) as server:
    server.timeout = 20
    print(server.server_address[1])
    server.handle_request()
    server.handle_request()
with http.server.HTTPServer(("127.0.0.1", 0), Backwards) as server:
    server.timeout = 20
    print(server.server_address[1])
    server.handle_request()
print("done")
