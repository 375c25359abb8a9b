import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { HarakaConfig } from 'haraka-config'
import type { Plugin } from '../../plugins/haraka'
import { register } from '../../plugins/unregistered-domain'
import { scratchDir } from '../support'

interface Registered {
  readonly plugin: Plugin
  readonly hooks: Record<string, number | undefined>
  readonly methods: string[]
}

/** Registers as Haraka does, in a site whose ini file has nothing. */
function registered(): Registered {
  const hooks: Registered['hooks'] = {}
  const methods: string[] = []
  const silent = (): void => {}
  const plugin: Plugin = {
    name: 'unregistered-domain',
    config: { get: () => ({}), root_path: scratchDir('config') } as unknown as HarakaConfig,
    timeout: 30,
    register_hook: (hook, method, priority) => {
      hooks[hook] = priority
      methods.push(method)
    },
    ...{ loginfo: silent, lognotice: silent, logwarn: silent, logerror: silent, logcrit: silent },
  }
  register.call(plugin)
  return { plugin, hooks, methods }
}

describe('register()', () => {
  it('lets Haraka set no timer around our hooks', () => {
    assert.equal(registered().plugin.timeout, 0)
  })

  it('takes the hooks at their places: before what could answer or ask a backend first', () => {
    assert.deepEqual(registered().hooks, {
      connect: -100,
      helo: -50,
      ehlo: -50,
      mail: 0,
      rcpt: -50,
      rcpt_ok: -50,
      deny: -100,
      reset_transaction: -100,
      disconnect: -100,
    })
  })

  it('gives each hook a method that is there, and none that Haraka would take for a hook', () => {
    const { plugin, methods } = registered()
    const found = plugin as unknown as Record<string, unknown>
    for (const method of methods) {
      assert.equal(typeof found[method], 'function', method)
      // Haraka registers every hook_… by itself (plugins.js), and it would run twice.
      assert.doesNotMatch(method, /^hook_/)
    }
  })
})
