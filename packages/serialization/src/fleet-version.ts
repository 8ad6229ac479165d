/**
 * The oldest Celery that reads what we write; it governs every form that differs between versions. What we read may come
 * from any of them. `'4.3'` stands for Celery 4.3 to 5.1, `'5.2'` for 5.2, `'5.6'` for all with kombu 5.3 or later.
 */
export type FleetVersion = '4.3' | '5.2' | '5.6'
