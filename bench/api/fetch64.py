"""Seconds, best of twenty, of fetching 64 vectors as one batch into numpy, and of one raw body of the same size: `fetch64.py <ours> <raw> <file> <keys…>`."""
import http.client, json, sys, time
import numpy

ours, raw, file, keys = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:]
body = json.dumps({"keys": keys})

def timed(work):
    best = float("inf")
    for _ in range(20):
        begun = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begun)
    return best

one, two = http.client.HTTPConnection("127.0.0.1", ours), http.client.HTTPConnection("127.0.0.1", raw)

def batch():
    one.request("POST", "/v1/vectors:batch", body, {"Content-Type": "application/json"})
    data = one.getresponse().read()
    numbers = numpy.frombuffer(data, "<f4", offset=8 + int.from_bytes(data[:8], "little"))  # no copy, as safetensors readers do
    assert numbers.reshape(len(keys), -1).shape == (64, 4096)

def whole():
    two.request("GET", "/" + file)
    numpy.frombuffer(two.getresponse().read(), "<f4")

print(json.dumps({"ours": timed(batch), "raw": timed(whole)}))
