import json, sys, urllib.request
import numpy

server = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:4680"
def post(path, body):
    return urllib.request.urlopen(urllib.request.Request(server + path, json.dumps(body).encode(), {"Content-Type": "application/json"})).read()

query = """{ organisms(first: 10) { edges { node { name latestRun { layers(last: 1) { edges { node { diffVectors(first: 5) {
  edges { node { key position norm diff { url } } } } } } } } } } } }"""
answer = json.loads(post("/graphql", {"query": query}))
if "errors" in answer: sys.exit(str(answer["errors"]))  # with this Accept header, errors come with status 200
vectors = [(organism["node"]["name"], vector["node"]) for organism in answer["data"]["organisms"]["edges"] if organism["node"]["latestRun"]
           for layer in organism["node"]["latestRun"]["layers"]["edges"] for vector in layer["node"]["diffVectors"]["edges"]]
one = numpy.frombuffer(urllib.request.urlopen(vectors[0][1]["diff"]["url"]).read(), "<f4")  # one vector, by its URL
body = post("/v1/vectors:batch", {"keys": [vector["key"] + "/diff" for _, vector in vectors]})  # many, as one safetensors file
many = numpy.frombuffer(body, "<f4", offset=8 + int.from_bytes(body[:8], "little")).reshape(len(vectors), -1)
cosines = many @ one / (numpy.linalg.norm(many, axis=1) * numpy.linalg.norm(one))
for (name, vector), cosine in zip(vectors, cosines):
    print(f"{name} position {vector['position']}: norm {vector['norm']:.3f}, cosine with the first {cosine:+.4f}")
