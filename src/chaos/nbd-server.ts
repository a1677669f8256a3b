/**
 * Gives a disk of this process to QEMU, over a socket: the network block device protocol, in as
 * much of it as QEMU uses of a server that offers little (`doc/proto.md` of the nbd project: fixed
 * newstyle negotiation, simple replies). One client at a time; all numbers are big-endian.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { ForgetfulDisk } from './forgetful-disk.ts';

const optionMagic = 0x49484156454f5054n;
const optionReplyMagic = 0x3e889045565a9n;
const requestMagic = 0x25609513;
const replyMagic = 0x67446698;

const options = { abort: 2, info: 6, go: 7 } as const;
const optionReplies = { ack: 1, info: 3, unsupported: 0x80000001 } as const;
const requests = { read: 0, write: 1, disconnect: 2, flush: 3 } as const;
const invalid = 22;

/** Fixed newstyle, and no zeros after the export. */
const serverFlags = 3;
/** Has flags; can flush. */
const exportFlags = 1 | 4;
const optionBytes = 16;
const optionDataMax = 4096;
const requestBytes = 28;
/** QEMU asks for no more at once; the memory of a guest bounds it, not this process's. */
const lengthMax = 64 * 1024 * 1024;

export class NbdServer {
  readonly #disk: ForgetfulDisk;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(disk: ForgetfulDisk) {
    this.#disk = disk;
    this.#server = createServer(socket => this.#serve(socket));
  }

  /** Listens at a path, in a directory that only its owner enters. */
  static async listen(disk: ForgetfulDisk, path: string): Promise<NbdServer> {
    const made = new NbdServer(disk);
    await new Promise<void>((resolve, reject) => {
      made.#server.once('error', reject);
      made.#server.listen(path, resolve);
    });
    return made;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>(resolve => {
      this.#server.close(() => resolve());
    });
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    const session = new Session(this.#disk, socket);
    socket.on('data', (chunk: Buffer) => session.receive(chunk));
    // It was killed: what it had not sent whole was never asked.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
    session.greet();
  }
}

class Session {
  readonly #disk: ForgetfulDisk;
  readonly #socket: Socket;
  #state: 'flags' | 'options' | 'requests' = 'flags';
  #chunks: Buffer[] = [];
  #held = 0;

  constructor(disk: ForgetfulDisk, socket: Socket) {
    this.#disk = disk;
    this.#socket = socket;
  }

  greet(): void {
    const hello = Buffer.alloc(18);
    hello.write('NBDMAGIC', 0, 'latin1');
    hello.writeBigUInt64BE(optionMagic, 8);
    hello.writeUInt16BE(serverFlags, 16);
    this.#socket.write(hello);
  }

  receive(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    const steps = {
      flags: () => this.#readFlags(),
      options: () => this.#readOption(),
      requests: () => this.#readRequest(),
    };
    while (!this.#socket.destroyed && steps[this.#state]());
  }

  /** The first so many bytes, without taking them. */
  #peek(length: number): Buffer | undefined {
    if (this.#held < length) return undefined;
    if (this.#chunks.length > 1 && this.#chunks[0]!.length < length) {
      this.#chunks = [Buffer.concat(this.#chunks)];
    }
    return this.#chunks[0]!.subarray(0, length);
  }

  #take(length: number): void {
    this.#held -= length;
    const rest = this.#chunks[0]!.subarray(length);
    if (rest.length === 0) this.#chunks.shift();
    else this.#chunks[0] = rest;
  }

  #readFlags(): boolean {
    if (this.#peek(4) === undefined) return false;
    this.#take(4);
    this.#state = 'options';
    return true;
  }

  #readOption(): boolean {
    const head = this.#peek(optionBytes);
    if (head === undefined) return false;
    const option = head.readUInt32BE(8);
    const length = head.readUInt32BE(12);
    if (head.readBigUInt64BE(0) !== optionMagic || length > optionDataMax) return this.#refuse();
    if (this.#peek(optionBytes + length) === undefined) return false;
    this.#take(optionBytes + length);
    this.#answerOption(option);
    return true;
  }

  #answerOption(option: number): void {
    if (option !== options.go && option !== options.info) {
      this.#option(
        option,
        option === options.abort ? optionReplies.ack : optionReplies.unsupported,
      );
      if (option === options.abort) this.#socket.end();
      return;
    }
    const size = Buffer.alloc(12);
    size.writeBigUInt64BE(BigInt(this.#disk.sizeBytes), 2);
    size.writeUInt16BE(exportFlags, 10);
    this.#option(option, optionReplies.info, size);
    this.#option(option, optionReplies.ack);
    if (option === options.go) this.#state = 'requests';
  }

  #option(option: number, reply: number, data: Buffer = Buffer.alloc(0)): void {
    const head = Buffer.alloc(20);
    head.writeBigUInt64BE(optionReplyMagic, 0);
    head.writeUInt32BE(option, 8);
    head.writeUInt32BE(reply, 12);
    head.writeUInt32BE(data.length, 16);
    this.#socket.write(Buffer.concat([head, data]));
  }

  #readRequest(): boolean {
    const head = this.#peek(requestBytes);
    if (head === undefined) return false;
    const type = head.readUInt16BE(6);
    const cookie = head.readBigUInt64BE(8);
    const offset = Number(head.readBigUInt64BE(16));
    const length = head.readUInt32BE(24);
    const isWrite = type === requests.write;
    if (head.readUInt32BE(0) !== requestMagic || length > lengthMax) return this.#refuse();
    const whole = this.#peek(requestBytes + (isWrite ? length : 0));
    if (whole === undefined) return false;
    if (type === requests.disconnect) return this.#refuse();
    this.#do(type, cookie, { offset, length, data: whole.subarray(requestBytes) });
    this.#take(whole.length);
    return true;
  }

  #do(
    type: number,
    cookie: bigint,
    { offset, length, data }: { offset: number; length: number; data: Buffer },
  ): void {
    const { read, write, flush } = requests;
    const known = type === read || type === write || type === flush;
    if (!known || (type !== flush && !this.#disk.covers(offset, length))) {
      this.#reply(cookie, invalid);
      return;
    }
    if (type === flush) this.#disk.flush();
    if (type === write) this.#disk.write(offset, data);
    this.#reply(cookie, 0, type === read ? this.#disk.read(offset, length) : undefined);
  }

  #reply(cookie: bigint, error: number, data?: Buffer): void {
    const head = Buffer.alloc(16);
    head.writeUInt32BE(replyMagic, 0);
    head.writeUInt32BE(error, 4);
    head.writeBigUInt64BE(cookie, 8);
    this.#socket.write(head);
    if (data !== undefined) this.#socket.write(data);
  }

  /** Ends the connection: the client is done, or speaks something else. */
  #refuse(): false {
    this.#socket.destroy();
    return false;
  }
}
