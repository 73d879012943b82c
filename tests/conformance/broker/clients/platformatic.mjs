// Produces and reads in a group with @platformatic/kafka: node platformatic.mjs BOOTSTRAP USER PASSWORD TOPIC COUNT
import { Admin, Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka'

const [bootstrap, username, password, topic, count] = process.argv.slice(2)
const base = {
  clientId: 'platformatic',
  bootstrapBrokers: [bootstrap],
  sasl: { mechanism: 'SCRAM-SHA-256', username, password }
}
const producer = new Producer({ ...base, serializers: stringSerializers })
const messages = Array.from({ length: Number(count) }, (_, n) => ({ topic, key: `k${n}`, value: `v${n}` }))
await producer.send({ messages })
await producer.close()
if (username === 'lab') {
  const consumer = new Consumer({ ...base, groupId: `${topic}-platformatic`, deserializers: stringDeserializers })
  const stream = await consumer.consume({ topics: [topic], mode: 'earliest', autocommit: false, maxWaitTime: 500 })
  const seen = []
  for await (const message of stream) {
    seen.push(message.value)
    await message.commit()
    if (seen.length === Number(count)) break
  }
  await consumer.close(true)
  const admin = new Admin(base)
  const groups = await admin.describeGroups({ groups: [`${topic}-platformatic`] })
  if (!groups.has(`${topic}-platformatic`)) throw new Error('the group is not described')
  await admin.close()
  console.log(seen.sort().join(' '))
}
