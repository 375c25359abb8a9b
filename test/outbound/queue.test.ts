import assert from 'node:assert/strict'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import { dropMail, emptyMessage } from '../../src/outbound/drop'
import { parseEnvelope } from '../../src/outbound/envelope'
import { parseQueueName } from '../../src/outbound/file-name'
import { queuedNote } from '../../src/outbound/note'
import { readTenantQueue, type QueuedMail } from '../../src/outbound/tenant-queue'
import { queueFile } from '../support/queue-files'

const HOUR = 3_600_000

function directory(): string {
  const place = path.join(scratchDir('queue'), 'queue')
  mkdirSync(place)
  return place
}

describe('the name of a queue file', () => {
  it('says when it came and when it is tried, and names the message over its renames', () => {
    const first = parseQueueName('1700000000000_1700000000000_0_42_AbCdEf_7_mx.example')
    const later = parseQueueName('1700000000000_1700000064000_1_43_AbCdEf_9_mx.example')
    assert.equal(first?.id, later?.id)
    assert.deepEqual(
      { ...later, id: '' },
      { id: '', arrived: 1_700_000_000_000, nextAttempt: 1_700_000_064_000, failures: 1 },
    )
  })

  it('is nothing else', () => {
    for (const name of ['', 'error.1_2_0_4_a_5_h', '__tmp__.1_2_0_4_a_5_h', '1_2_0_4.h', 'a_b_c']) {
      assert.equal(parseQueueName(name), undefined, name)
    }
  })
})

describe('the queue of a tenant', () => {
  it('is its mail only, oldest first, whoever the sender is', async () => {
    const place = directory()
    queueFile(place, {
      tenant: 'contoso',
      arrived: 2000,
      rcptTo: ['a@far.example', 'b@far.example'],
    })
    queueFile(place, { tenant: 'contoso', arrived: 1000, mailFrom: '', noted: 'null' })
    queueFile(place, { tenant: 'fabrikam' })
    queueFile(place, { tenant: undefined })
    writeFileSync(path.join(place, '__tmp__.1_2_0_4_a_5_h'), 'being written')
    writeFileSync(path.join(place, '1_2_0_4_broken_5_h'), 'no')
    const { mail, unreadable } = await readTenantQueue(place, 'contoso')
    assert.deepEqual(
      mail.map(({ class: noted, sender, recipients }) => ({ noted, sender, recipients })),
      [
        { noted: 'null', sender: '', recipients: ['a@far.example'] },
        {
          noted: 'unregistered',
          sender: 'x@stranger.example',
          recipients: ['a@far.example', 'b@far.example'],
        },
      ],
    )
    assert.equal(mail[0]?.size, Buffer.byteLength('Subject: x\r\n\r\nhello\r\n'))
    assert.deepEqual(unreadable, ['1_2_0_4_broken_5_h'])
  })

  it('is read whole where the envelope is long', async () => {
    const place = directory()
    const rcptTo = Array.from({ length: 5000 }, (_each, index) => `user${index}@far.example`)
    queueFile(place, { tenant: 'contoso', rcptTo })
    const { mail } = await readTenantQueue(place, 'contoso')
    assert.deepEqual(mail[0]?.recipients, rcptTo)
  })

  it('cannot be read where there is none, and it is said what to do', async () => {
    await assert.rejects(readTenantQueue('/nowhere/queue', 'contoso'), /ENOENT.*where Haraka runs/)
  })
})

describe('dropping queued mail', () => {
  async function waiting(place: string): Promise<readonly QueuedMail[]> {
    return (await readTenantQueue(place, 'contoso')).mail
  }

  it('removes what is due, and puts an empty message in the place of what is tried later', async () => {
    const place = directory()
    const due = queueFile(place, { tenant: 'contoso' })
    const later = queueFile(place, { tenant: 'contoso', nextAttempt: Date.now() + HOUR })
    const other = queueFile(place, { tenant: 'fabrikam' })
    const size = readFileSync(path.join(place, later)).length
    const { dropped, missed } = await dropMail(place, await waiting(place))
    assert.deepEqual([dropped.length, missed.length], [2, 0])
    assert.deepEqual(readdirSync(place).toSorted(), [later, other].toSorted())
    assert.equal(existsSync(path.join(place, due)), false)
    const left = readFileSync(path.join(place, later))
    assert.notEqual(left.length, size)
    const { mailFrom, rcptTo, notes } = parseEnvelope(left)
    assert.deepEqual({ mailFrom, rcptTo }, { mailFrom: '', rcptTo: [] })
    assert.equal(queuedNote(notes)?.dropped, true)
    assert.deepEqual(await waiting(place), [])
  })

  it('waits for an attempt that is becoming due, of which Haraka may know the name only', async () => {
    const place = directory()
    const now = Date.now()
    const [begun, soon, later] = [-100, 500, 8000].map((after) =>
      queueFile(place, { tenant: 'contoso', nextAttempt: now + after }),
    )
    const { dropped } = await dropMail(place, await waiting(place))
    assert.ok(Date.now() >= now + 500 + 2000, 'Haraka has read both by then')
    assert.equal(dropped.length, 3)
    assert.deepEqual(readdirSync(place), [later])
    assert.deepEqual(
      [begun, soon].map((file) => existsSync(path.join(place, file!))),
      [false, false],
    )
  })

  it('finds what Haraka has renamed meanwhile, and says what has left', async () => {
    const place = directory()
    const renamed = queueFile(place, { tenant: 'contoso', failures: 0 })
    queueFile(place, { tenant: 'contoso' })
    const mail = await waiting(place)
    const gone = mail.find(({ file }) => file !== renamed)!
    renameSync(
      path.join(place, renamed),
      path.join(place, renamed.replace(/^(\d+)_\d+_0_/, `$1_${Date.now() + HOUR}_1_`)),
    )
    renameSync(path.join(place, gone.file), path.join(scratchDir('gone'), 'x'))
    const { dropped, missed } = await dropMail(place, mail)
    assert.equal(dropped.length, 1)
    assert.deepEqual(missed, [gone])
    assert.deepEqual(await waiting(place), [])
  })

  it('never puts a file of the same size in the place of another', () => {
    const mail = { tenant: 'contoso', connector: null, class: 'foreign', id: 'x', arrived: 1 }
    const usual = emptyMessage(mail as unknown as QueuedMail, 0).length
    assert.notEqual(emptyMessage(mail as unknown as QueuedMail, usual).length, usual)
  })
})
