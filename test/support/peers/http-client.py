# 20 POST requests on one connection of http.client, then HEAD, and a GET with a header field beyond ASCII.
import http.client, json, sys
c = http.client.HTTPConnection(sys.argv[1])
out = []
for i in range(20):
    c.request("POST", "/p%d" % i, json.dumps({"i": i, "text": "\u00e9\u20ac"}))
    r = c.getresponse()
    out.append([r.status, json.loads(r.read())])
c.request("HEAD", "/h")
r = c.getresponse()
out.append([r.status, r.getheader("content-length"), r.read().decode()])
c.request("GET", "/x", headers={"X-Text": "\u00e9".encode()})
r = c.getresponse()
out.append([r.status, json.loads(r.read())])
c.close()
print(json.dumps(out))
