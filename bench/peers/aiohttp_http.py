# SPDX-License-Identifier: MIT
"""A peer: aiohttp on uvloop. `/` greets, `/json` greets in JSON, `/file` sends the file.

    $ aiohttp_http.py PORT FILE
"""
import sys

import uvloop
from aiohttp import web

routes = web.RouteTableDef()


@routes.get("/")
async def hello(_):
    return web.Response(text="Hello, World!")


@routes.get("/json")
async def json(_):
    return web.json_response({"message": "Hello, World!"})


@routes.get("/file")
async def file(_):
    return web.FileResponse(sys.argv[2])


uvloop.install()
app = web.Application()
app.add_routes(routes)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None, backlog=4096)
