// Values that JSON has no word for, over the wire and back.
import { Decimal, SerializerRegistry } from '@celery/serialization'

class Money {
  readonly amount: Decimal
  constructor(amount: Decimal) {
    this.amount = amount
  }
}

const serializers = new SerializerRegistry({ fleetVersion: '5.6' })
serializers.types.register('money', {
  class: Money,
  encode: (money) => money.amount,
  decode: (data) => new Money(data instanceof Decimal ? data : new Decimal(String(data))),
})

const { body, contentType } = serializers.encode({ at: new Date(0), price: new Money(new Decimal('1.10')) })
console.log(body)

const read = serializers.decode(body, contentType) as { at: Date; price: Money }
console.log(read.at.getTime(), String(read.price.amount)) // 0 1.10

await serializers.load('yaml')
console.log(serializers.encode({ day: new Date(0) }, 'yaml').body) // {"day" : !!timestamp "1970-01-01 00:00:00+00:00"}
