import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseChange } from '../../src/registry/changes'
import type { DomainFlags } from '../../src/registry/formats'

describe('parseChange', () => {
  const STATE = {
    ...{ tenant: 'contoso', token: '2-b', domains: undefined },
    about: { what: 'unknown' },
  }
  const cases: readonly (readonly [string, unknown])[] = [
    ['{"tenant":"contoso","token":"2-b"}', STATE],
    [
      '{"tenant":"contoso","token":"2-b","previous":"1-a","domains":{"a.example":"sh","b.example":null}}',
      {
        ...STATE,
        domains: {
          ...{ previous: '1-a', token: '2-b' },
          domains: new Map<string, DomainFlags | null>([
            ['a.example', { subdomains: true, shared: true }],
            ['b.example', null],
          ]),
        },
      },
    ],
    // What does not tell all tells that something has changed.
    ['{"tenant":"contoso","token":"2-b","domains":{"a.example":"s"}}', STATE],
    ['{"tenant":"contoso","token":"2-b","previous":"1-a"}', STATE],
    // From an earlier version, which does not say whether it is shared.
    ['{"tenant":"contoso","token":"2-b","previous":"1-a","domains":{"a.example":true}}', STATE],
    [
      '{"tenant":"contoso","token":"2-b","about":"settings"}',
      { ...STATE, about: { what: 'settings', settings: undefined } },
    ],
    [
      '{"tenant":"contoso","token":"2-b","about":"settings","settings":{"mode":"off","limits":""}}',
      {
        ...STATE,
        about: {
          what: 'settings',
          settings: new Map([
            ['mode', 'off'],
            ['limits', null],
          ]),
        },
      },
    ],
    [
      '{"tenant":"contoso","token":"2-b","about":"restriction","created":"1","restriction":{"scope":"all","since":"7"}}',
      {
        ...STATE,
        about: { what: 'restriction', created: '1', restriction: { scope: 'all', since: '7' } },
      },
    ],
    [
      '{"tenant":"contoso","token":"2-b","about":"lift","created":"1","lift":{"at":"9","since":"7"}}',
      { ...STATE, about: { what: 'lift', created: '1', lift: { at: '9', since: '7' } } },
    ],
    // Not in full, so the restriction must be read.
    [
      '{"tenant":"contoso","token":"2-b","about":"restriction","created":"1","restriction":{}}',
      STATE,
    ],
    ['{"tenant":"contoso","token":"2-b","about":"lift","created":"1","lift":{"at":9}}', STATE],
    ['{"registry":"","lost":true}', { lost: true }],
    ['{"registry":"","orders":true}', { orders: true }],
    [
      '{"registry":"confirm","confirm":"a1","marks":{"contoso":7,"@connectors":8}}',
      {
        confirm: 'a1',
        marks: new Map([
          ['contoso', 7],
          ['@connectors', 8],
        ]),
      },
    ],
    // Of a later version, or another channel would be answered: it is a reason to check the registry.
    ['{"registry":"confirm","confirm":"a1"}', { registry: 'confirm' }],
    ['{"registry":"confirm","confirm":"a:1","marks":{}}', { registry: 'confirm' }],
    ['{"owners":true}', { owners: true, names: undefined, version: 0 }],
    ['{"owners":true,"names":["a.example"]}', { owners: true, names: ['a.example'], version: 0 }],
    ['{"owners":true,"names":["a.example",1]}', { owners: true, names: undefined, version: 0 }],
    [
      '{"connectors":"2-b","previous":"1-a","changed":["contoso/mx"]}',
      { connectors: '2-b', previous: '1-a', changed: ['contoso/mx'] },
    ],
    [
      '{"connectors":"1-a","previous":null,"changed":[]}',
      { connectors: '1-a', previous: null, changed: [] },
    ],
    // cjson writes an empty list as {}.
    [
      '{"connectors":"1-a","previous":"","changed":{}}',
      { connectors: '1-a', previous: null, changed: [] },
    ],
    [
      '{"connectors":"1-a","changed":["a/b",7]}',
      { connectors: '1-a', previous: null, changed: ['a/b'] },
    ],
    ['{"tenant":"contoso"}', undefined],
    ['{"tenant":1,"token":"a"}', undefined],
    ['{"owners":1}', undefined],
    ['{"connectors":null}', undefined],
    ['{}', undefined],
    ['[]', undefined],
    ['null', undefined],
    ['"contoso"', undefined],
    ['', undefined],
    ['{', undefined],
  ]
  for (const [message, expected] of cases) {
    it(message || 'nothing', () => assert.deepEqual(parseChange(message), expected))
  }

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseChange(text)))
    fc.assert(fc.property(fc.json(), (text) => void parseChange(text)))
  })
})
