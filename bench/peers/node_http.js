// SPDX-License-Identifier: MIT
// A peer: node's http. `/` greets, `/json` greets in JSON, `/file` sends the file.
//
//     $ node node_http.js PORT FILE
'use strict';
const fs = require('fs');
const http = require('http');

const file = process.argv[3];

function send(response, type, text) {
  response.writeHead(200, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}

const server = http.createServer((request, response) => {
  if (request.url === '/json') return send(response, 'application/json', JSON.stringify({ message: 'Hello, World!' }));
  if (request.url !== '/file') return send(response, 'text/plain', 'Hello, World!');
  fs.stat(file, (error, stat) => {
    response.writeHead(error ? 404 : 200, { 'Content-Length': error ? 0 : stat.size });
    if (error) return response.end();
    fs.createReadStream(file).pipe(response);
  });
});
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 });
