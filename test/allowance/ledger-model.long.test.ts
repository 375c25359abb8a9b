import { testLedger } from './ledger-model'

testLedger(2000)
