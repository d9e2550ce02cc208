"""Ansible's inventory of Lab Portal: copy this file into the folder inventory_plugins beside your playbooks."""

import json

from ansible.errors import AnsibleParserError
from ansible.module_utils.common.text.converters import to_native
from ansible.module_utils.urls import ConnectionError as NoConnection
from ansible.module_utils.urls import open_url
from ansible.plugins.inventory import BaseInventoryPlugin

DOCUMENTATION = """
name: labportal
short_description: Machines of Lab Portal
description:
  - Groups by class, cluster, state, team (machine group) and tag, with the address, port and user of each machine.
  - Reads a file whose name ends with C(labportal.yml).
options:
  plugin:
    description: The name of this plugin.
    required: true
    choices: [labportal]
  url:
    description: Address of the portal, like C(https://labs.school.example).
    required: true
    type: str
  token:
    description: A personal token with the right to read.
    type: str
    env:
      - name: LABPORTAL_TOKEN
  class:
    description: ID of a class; without it, all machines that the owner of the token sees.
    type: int
  ca:
    description: File with the authority of the portal's certificate, if the system does not know it.
    type: path
"""


class InventoryModule(BaseInventoryPlugin):
    NAME = "labportal"

    def verify_file(self, path: str) -> bool:
        return super().verify_file(path) and path.endswith(("labportal.yml", "labportal.yaml"))

    def parse(self, inventory, loader, path, cache=True):
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        found = self._asked()
        variables = found.pop("_meta")["hostvars"]
        for host, facts in variables.items():
            self.inventory.add_host(host)
            for name, value in facts.items():
                self.inventory.set_variable(host, name, value)
        for group, members in found.items():
            self.inventory.add_group(group)
            for host in members["hosts"]:
                self.inventory.add_child(group, host)

    def _asked(self):
        address = self.get_option("url").rstrip("/") + "/api/v1/inventory"
        if self.get_option("class"):
            address += f"?class={self.get_option('class')}"
        token = self.get_option("token")
        if not token:
            raise AnsibleParserError("Set LABPORTAL_TOKEN to a token of Lab Portal: your name, then API tokens.")
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        try:
            with open_url(address, headers=headers, ca_path=self.get_option("ca"), timeout=30) as answer:
                return json.load(answer)
        except (OSError, ValueError, NoConnection) as error:
            raise AnsibleParserError(f"{address}: {to_native(error)}") from error
