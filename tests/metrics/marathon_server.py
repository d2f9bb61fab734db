"""An endpoint like OpenAI's, in a process of its own: `python marathon_server.py`, which prints its port.

It fails twice before it works, takes recordings of at most 2 s, and says how long they are, or who asks nothing.
"""

import base64
import io
import json
import wave
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FAILURES = [503, 429]


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != "Bearer open sesame":
            self.send(401, {"error": "who is it?"})
        elif self.path != "/v1/chat/completions" or body["model"] not in ("ears", "eyes"):
            self.send(404, {"error": f"no {body['model']} at {self.path}"})
        elif body["model"] == "eyes":
            self.send(400, {"error": "no audio, please"})
        elif FAILURES:
            self.send(FAILURES.pop(0), {"error": "not now"})
        else:
            self.reply(*body["messages"][0]["content"])

    def reply(self, *content):
        heard = "nothing"
        if len(content) == 2:
            assert content[0]["input_audio"]["format"] == "wav"
            with wave.open(io.BytesIO(base64.b64decode(content[0]["input_audio"]["data"]))) as sound:
                seconds = sound.getnframes() / sound.getframerate()
            if seconds > 2:
                return self.send(413, {"error": f"{seconds} s are too long"})
            heard = f"{seconds} s"
        message = {"role": "assistant", "content": f"I heard {heard}. It is fake. "}
        self.send(200, {"choices": [{"message": message}], "usage": {"completion_tokens": 9}})

    def send(self, status, body):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
