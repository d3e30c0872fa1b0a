/**
 * A user of the same computer who speaks to Pulumi's engine while a command runs, as a program of its own: it gets the URN of a resource and the addresses of ports, and prints
 * what each of them told.
 */
import { credentials, Metadata } from '@grpc/grpc-js';
import { ResourceMonitorClient } from '@pulumi/pulumi/proto/resource_grpc_pb.js';
import resources from '@pulumi/pulumi/proto/resource_pb.js';
import structs from 'google-protobuf/google/protobuf/struct_pb.js';

/** What each port told of the resource that was asked for. */
export type EngineAnswers = Readonly<Record<string, string>>;

const [, , urn = '', ...addresses] = process.argv;

function question(): resources.ResourceInvokeRequest {
  const request = new resources.ResourceInvokeRequest();
  request.setTok('pulumi:pulumi:getResource');
  request.setArgs(structs.Struct.fromJavaScript({ urn }));
  request.setAcceptresources(true);
  return request;
}

async function ask(address: string): Promise<[string, string]> {
  const client = new ResourceMonitorClient(address, credentials.createInsecure());
  try {
    return await new Promise((resolve) => {
      client.invoke(question(), new Metadata(), { deadline: Date.now() + 20_000 }, (error, answer) => {
        resolve([address, error ? error.message : JSON.stringify(answer.getReturn()?.toJavaScript())]);
      });
    });
  } finally {
    client.close();
  }
}

process.stdout.write(JSON.stringify(Object.fromEntries(await Promise.all(addresses.map(ask)))));
