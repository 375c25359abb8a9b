import { readFileSync } from 'node:fs'
import path from 'node:path'
import { InputError } from '../../base/errors'
import { readStdin, type Io } from './io'

const LF = 0x0a
const CR = 0x0d

/**
 * The octets of a message in a file, or on stdin for `-`, with every line end made CRLF, as in SMTP.
 *
 * @throws {InputError} it cannot be read, or is empty.
 */
export async function readMessage(file: string, io: Io): Promise<Buffer> {
  const octets = file === '-' ? await readStdin(io) : readFile(file, io)
  if (octets.length === 0) throw new InputError(`--message ${file}: the file is empty`)
  return withCrlf(octets)
}

function readFile(file: string, { cwd }: Io): Buffer {
  try {
    return readFileSync(path.resolve(cwd, file))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new InputError(`--message ${file}: cannot be read (${code ?? String(error)})`)
  }
}

function withCrlf(octets: Buffer): Buffer {
  const pieces: Buffer[] = []
  let from = 0
  for (let at = octets.indexOf(LF); at !== -1; at = octets.indexOf(LF, at + 1)) {
    if (octets[at - 1] === CR) continue
    pieces.push(octets.subarray(from, at), Buffer.from('\r\n'))
    from = at + 1
  }
  return Buffer.concat([...pieces, octets.subarray(from)])
}
