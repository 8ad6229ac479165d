export { openSqliteBroker, type SqliteBrokerOptions } from './sqlite-broker.ts'
export { type SqliteTransportOptions, sqlite } from './sqlite-transport.ts'
