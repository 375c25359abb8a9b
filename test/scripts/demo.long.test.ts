import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { describe, it } from 'node:test'
import { Page } from '../../scripts/demo/page'
import { closeStage, openStage } from '../../scripts/demo/stage'
import { playStory } from '../../scripts/demo/story'
import { REPLY } from '../support/replies'

describe('the demo', () => {
  it('plays the story, and shows the real replies', async (t) => {
    let shown = ''
    const out = new Writable({
      write(text: Buffer, _encoding, done) {
        shown += text.toString()
        done()
      },
    })
    const stage = await openStage()
    t.after(() => closeStage(stage))
    await playStory(stage, new Page(out))

    const blocked = REPLY.blocked.trimEnd()
    assert.match(shown, new RegExp(`RCPT TO:<victim9@far.example> +${blocked}`))
    assert.match(shown, new RegExp(`MAIL FROM:<pay@bank-6.example> +${blocked}`))
    for (const line of [
      /^ +contoso +restricted +[1-9]\d* +\d+ +1h 100 % .* exchange$/m,
      /^ +\S+ +contoso\/exchange +bank-4\.example +1\/2 .* 127\.0\.0\.1 +<\d+\.help@bank-4\.example>$/m,
      /^ +case +contoso:1\n +restricted .*allowance of 10\/1h exceeded$/m,
      /^ +ticked proof of case contoso:1; all four are done$/m,
      /\$ tenantctl unblock contoso .*\n.*\n +in force on 1 of 1 process .*\n +on probation: 3\/1h until /,
      /^ +closed case contoso:1;/m,
      /^ +\S+ +contoso:1 +restriction lifted .*malware removed/m,
    ]) {
      assert.match(shown, line)
    }
  })
})
