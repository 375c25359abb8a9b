import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { Links } from '../../src/console/access/links'
import type { Person } from '../../src/console/access/person'
import { Sessions } from '../../src/console/access/sessions'
import { Throttle } from '../../src/console/access/throttle'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

let time = 0
const now = (): number => time
beforeEach(() => {
  time = 1e12
})

function person(subject: string, provider: Person['provider'] = 'console'): Person {
  return { provider, subject, name: subject, role: 'operator' }
}

describe('a session of the console', () => {
  let sessions: Sessions
  beforeEach(() => {
    sessions = new Sessions(now)
  })

  it('ends 30 minutes after its last use, which no page makes by itself', () => {
    const { cookie } = sessions.begin(person('ann'), '192.0.2.1')
    time += 29 * MINUTE
    assert.ok(sessions.find(cookie, true))
    time += 29 * MINUTE
    assert.ok(sessions.find(cookie, false))
    time += 2 * MINUTE
    assert.equal(sessions.find(cookie, false), undefined)
    assert.deepEqual(sessions.list(), [])
  })

  it('ends after 12 hours, however much it is used', () => {
    const { cookie } = sessions.begin(person('ann'), '192.0.2.1')
    for (let used = 0; used < 12 * HOUR; used += 20 * MINUTE) {
      assert.ok(sessions.find(cookie, true))
      time += 20 * MINUTE
    }
    time += 1
    assert.equal(sessions.find(cookie, true), undefined)
  })

  it('of a person who has 20 ends when another begins: the one that was not used longest', () => {
    const cookies = Array.from({ length: 20 }, () => {
      time += 1000
      return sessions.begin(person('ann'), '192.0.2.1').cookie
    })
    const other = sessions.begin(person('ann', 'web'), '192.0.2.1').cookie
    time += 1000
    sessions.find(cookies[0], true)
    sessions.begin(person('ann'), '192.0.2.1')
    const left = cookies.map((cookie) => sessions.find(cookie, false) !== undefined)
    assert.deepEqual(left, [true, false, ...Array<boolean>(18).fill(true)])
    // The user of a proxy is another person.
    assert.ok(sessions.find(other, false))
  })

  it('is one of 1,000 at most', () => {
    for (let each = 0; each < 1010; each++) {
      time += 1
      sessions.begin(person(`user${each}`), '192.0.2.1')
    }
    const names = sessions.list().map(({ person: { name } }) => name)
    assert.deepEqual([names.length, names[0], names.at(-1)], [1000, 'user10', 'user1009'])
  })

  it('is found by its cookie alone, not by what is listed of it', () => {
    const { cookie, session } = sessions.begin(person('ann'), '192.0.2.1')
    for (const guess of [undefined, '', session.id, session.token, `${cookie}x`, cookie.slice(1)]) {
      assert.equal(sessions.find(guess, true), undefined)
    }
    assert.equal(JSON.stringify([...sessions.list()]).includes(cookie), false)
  })

  it('is revoked by its id, and all without one', () => {
    const { cookie, session } = sessions.begin(person('ann'), '192.0.2.1')
    sessions.begin(person('bob'), '192.0.2.1')
    assert.equal(sessions.end('none'), 0)
    assert.equal(sessions.end(session.id), 1)
    assert.equal(sessions.find(cookie, true), undefined)
    assert.equal(sessions.end(undefined), 1)
  })
})

describe('a link', () => {
  it('signs in once, within ten minutes', () => {
    const links = new Links(now)
    const token = links.make(person('ann'))
    assert.equal(links.look(token)?.name, 'ann')
    time += 10 * MINUTE - 1
    assert.equal(links.take(token)?.name, 'ann')
    assert.equal(links.look(token), undefined)
    assert.equal(links.take(token), undefined)
    const late = links.make(person('ann'))
    time += 10 * MINUTE
    assert.equal(links.take(late), undefined)
  })

  it('is one of 100 at most: the oldest ends', () => {
    const links = new Links(now)
    const tokens = Array.from({ length: 101 }, () => links.make(person('ann')))
    assert.equal(links.look(tokens[0]!), undefined)
    assert.ok(links.look(tokens[1]!))
  })
})

describe('a throttle', () => {
  it('lets no more pass in any minute, for each key, and says how long to wait', () => {
    const throttle = new Throttle(3, now)
    for (const after of [0, 10_000, 20_000]) {
      time += after
      assert.equal(throttle.wait('a'), 0)
      throttle.count('a')
    }
    assert.equal(throttle.wait('a'), 30)
    assert.equal(throttle.wait('b'), 0)
    time += 30_000
    assert.equal(throttle.wait('a'), 0)
    throttle.count('a')
    assert.equal(throttle.wait('a'), 10)
  })

  it('keeps a bounded number of keys', () => {
    const throttle = new Throttle(1, now)
    for (let each = 0; each < 10_001; each++) throttle.count(String(each))
    assert.equal(throttle.wait('0'), 0)
    assert.equal(throttle.wait('10000'), 60)
  })
})
