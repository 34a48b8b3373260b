"""A volume plugin for the tests: a directory of the host for each volume.

usage: plugin.py SOCKET|PORT DIRECTORY

DIRECTORY/data/NAME    the volumes
DIRECTORY/calls        every call, one line each: its name and its body
DIRECTORY/behaviour    JSON, read at each call: {CALL: MISBEHAVIOUR}
"""
import json
import os
import socketserver
import sys
import time
from http.server import BaseHTTPRequestHandler

ADDRESS, DIRECTORY = sys.argv[1:]
DATA = os.path.join(DIRECTORY, "data")


def answer(call, body):
    name = body.get("Name", "")
    path = os.path.join(DATA, name)
    volume = {"Name": name, "Mountpoint": path, "Status": {"calls": "counted"}}
    if call == "Plugin.Activate":
        return {"Implements": ["VolumeDriver"]}
    if call == "VolumeDriver.Capabilities":
        return {"Capabilities": {"Scope": "Global"}}
    if call == "VolumeDriver.List":
        return {"Volumes": [{"Name": n, "Mountpoint": os.path.join(DATA, n)}
                            for n in sorted(os.listdir(DATA))]}
    if call == "VolumeDriver.Create":
        os.mkdir(path)
        return {}
    if not os.path.isdir(path):
        return {"Err": "no such volume"}
    if call == "VolumeDriver.Get":
        return {"Volume": volume}
    if call in ("VolumeDriver.Mount", "VolumeDriver.Path"):
        return {"Mountpoint": path}
    if call == "VolumeDriver.Remove":
        os.rename(path, os.path.join(DIRECTORY, "removed-" + name))
    return {"Err": ""}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self):
        return "plugin"

    def log_message(self, *_):
        pass

    def send(self, status, body, kind="application/vnd.docker.plugins.v1.2+json"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        call = self.path[1:]
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with open(os.path.join(DIRECTORY, "calls"), "a") as calls:
            calls.write(call + " " + body.decode().strip() + "\n")
        try:
            with open(os.path.join(DIRECTORY, "behaviour")) as file:
                how = json.load(file).get(call)
        except FileNotFoundError:
            how = None
        if how == "dies":
            os._exit(1)
        if how == "hangs up":
            return self.connection.close()
        if how == "slow":
            time.sleep(60)
        if how == "garbage":
            return self.wfile.write(os.urandom(4096))
        if how == "huge":
            self.send_response(200)
            self.end_headers()
            while True:
                self.wfile.write(b"x" * 65536)
        if how == "drips":
            self.send_response(200)
            self.end_headers()
            while True:
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.01)
        if how == "html":
            return self.send(200, b"<html>sorry</html>", "text/html")
        if how == "deep":
            return self.send(200, b'{"x":' + b"[" * 100000)
        if how == "list":
            return self.send(200, b"[1, 2]")
        if how == "500":
            return self.send(500, b'{"Err": "out of \\u001b[31mdisks"}')
        if isinstance(how, dict):
            return self.send(200, json.dumps(how).encode(), "text/plain")
        self.send(200, json.dumps(answer(call, json.loads(body or b"{}"))).encode())


class Server(socketserver.ThreadingMixIn,
             socketserver.TCPServer if ADDRESS.isdigit() else socketserver.UnixStreamServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_):
        pass


os.makedirs(DATA, exist_ok=True)
address = ("127.0.0.1", int(ADDRESS)) if ADDRESS.isdigit() else ADDRESS
with Server(address, Handler) as server:
    if ADDRESS.isdigit():
        with open(os.path.join(DIRECTORY, "port"), "w") as port:
            port.write(str(server.server_address[1]))
    server.serve_forever()
