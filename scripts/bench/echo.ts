/** Sends back what it is sent, on a free port that it prints; the other side of a measure. */
import { type AddressInfo, createServer } from 'node:net';

const server = createServer({ noDelay: true }, socket => {
  socket.on('error', () => socket.destroy());
  socket.pipe(socket);
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(String((server.address() as AddressInfo).port));
});
