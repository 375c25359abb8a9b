import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { once } from 'node:events'
import type { MessageSource } from '../../../plugins/kit/haraka'
import { messageIn } from '../../../plugins/session/proof'

interface Transaction extends MessageSource {
  readonly message_stream: MessageSource['message_stream'] & { destroy(): void }
  add_data(line: Buffer): void
  end_data(done: () => void): void
  add_leading_header(name: string, value: string): void
}
interface Core {
  createTransaction(id: string, config: object): Transaction
}

const BODY = `${'A line of the body'.repeat(40)}\r\n`.repeat(400)
const LINES = `From: a@bank.example\r\nTo: p@school.example,\r\n q@school.example\r\n\r\n..dot\r\n${BODY}`

for (const core of ['haraka', 'haraka-v3.1']) {
  for (const spool_after of [-1, 1000]) {
    describe(`the message in ${core}, ${spool_after < 0 ? 'in memory' : 'spooled'}`, () => {
      it('is read as it would be delivered, and can be read again at once, however much was read', async () => {
        const haraka = (await import(`${core}/transaction.js`)) as Core
        const spool_dir = mkdtempSync(path.join(tmpdir(), 'message-'))
        const transaction = haraka.createTransaction('ID.1', { main: { spool_after, spool_dir } })
        for (const line of LINES.match(/[^\n]*\n/g) ?? []) transaction.add_data(Buffer.from(line))
        await new Promise<void>((resolve) => transaction.end_data(resolve))
        transaction.add_leading_header('X-Seen', 'yes')
        const expected = `X-Seen: yes\r\n${LINES.replace('\r\n..', '\r\n.')}`

        const first = messageIn(transaction)
        await once(first, 'readable')
        first.destroy()
        assert.equal(await text(messageIn(transaction)), expected)
        const unread = messageIn(transaction)
        unread.destroy()
        assert.equal(await text(messageIn(transaction)), expected)
        transaction.message_stream.destroy()
        rmSync(spool_dir, { recursive: true, force: true })
      })
    })
  }
}
