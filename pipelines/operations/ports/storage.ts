import type { Environment } from '../../model/environment.ts';
import type { Release } from '../../model/release.ts';
import type { HostStorage, RegistryImage, StoredMachineImage } from '../../model/storage.ts';
import type { Host } from '../../model/target.ts';

/** The images and volumes that releases leave behind. */
export interface Storage {
  /** Asks hosts at once what they store for an environment of images of these repositories. Never throws for a host. */
  onHosts(
    environment: Environment,
    hosts: readonly Host[],
    repositories: readonly string[],
  ): Promise<readonly HostStorage[]>;
  /** Takes these names off an image, which goes with the last one. Throws LockageError. */
  removeImage(host: Host, names: readonly string[]): Promise<void>;
  /** Removes a volume. Throws LockageError, also when a container uses it by now. */
  removeVolume(host: Host, name: string): Promise<void>;
  /** Returns the images of releases that the registry still has. Throws LockageError. */
  inRegistry(releases: readonly Release[]): Promise<readonly RegistryImage[]>;
  /** Removes an image with its tags. Returns false where the registry allows no deletion. Throws LockageError. */
  removeFromRegistry(image: RegistryImage): Promise<boolean>;
  /** Frees the disk of what was removed from the registry of this computer; others do it by themselves. Throws LockageError. */
  freeRegistry(): Promise<void>;
  /** Returns the images of machines on this computer. */
  machineImages(): Promise<readonly StoredMachineImage[]>;
  removeMachineImage(digest: string): Promise<void>;
}
