/**
 * A user of the same computer who calls a gRPC server of ours, as a program of its own: it gets the addresses of a provider and of a program's server, and prints how each
 * method of both answered.
 */
import { credentials, makeGenericClientConstructor, status, type ServiceDefinition } from '@grpc/grpc-js';
import { LanguageRuntimeService } from '@pulumi/pulumi/proto/language_grpc_pb.js';
import { ResourceProviderService } from '@pulumi/pulumi/proto/provider_grpc_pb.js';
import structs from 'google-protobuf/google/protobuf/struct_pb.js';

/** What a method answered, by its path. */
export type Answers = Readonly<Record<string, string>>;

interface Message {
  setUrn?(urn: string): void;
  setMonitorAddress?(address: string): void;
  setProperties?(properties: unknown): void;
}

const urn = 'urn:pulumi:prod::trial::lockage:index:Front::front';
const inputs = { content: JSON.stringify({ app: 'trial', environment: '../victim', address: '127.0.0.1', ports: [] }) };

/** Calls all methods of a server with what would do harm. */
async function callAll(address: string, service: ServiceDefinition): Promise<Answers> {
  const Client = makeGenericClientConstructor(service, 'Stranger');
  const client = new Client(address, credentials.createInsecure());
  const calls = Object.values(service).map(async ({ path, requestSerialize, responseDeserialize, ...method }) => {
    const { requestType } = method as unknown as { requestType: new () => Message };
    const message = new requestType();
    message.setUrn?.(urn);
    message.setMonitorAddress?.('127.0.0.1:9');
    message.setProperties?.(structs.Struct.fromJavaScript(inputs));
    const options = { deadline: Date.now() + 30_000 };
    return new Promise<[string, string]>((resolve) => {
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, message, options, (error) =>
        resolve([path, error ? `${status[error.code]} ${error.details}` : 'answered']),
      );
    });
  });
  const found = await Promise.all(calls);
  client.close();
  return Object.fromEntries(found);
}

const [, , provider = '', program = ''] = process.argv;
const answers = {
  provider: await callAll(provider, ResourceProviderService),
  program: await callAll(program, LanguageRuntimeService),
};
process.stdout.write(JSON.stringify(answers));
