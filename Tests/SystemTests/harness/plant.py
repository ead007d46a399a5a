"""A plant as a configuration file has it: products with their points, Modbus buses, devices."""


def point(identifier, type, address, keys=""):
    """A point in a holding register."""
    return (
        f'[[product.point]]\nidentifier = "{identifier}"\ntype = "{type}"\n'
        f'area = "holding-register"\naddress = {address}\n{keys}\n'
    )


def product(key, points, interval="100ms"):
    """A product whose points are all of one group."""
    return f'[[product]]\nkey = "{key}"\n[[product.group]]\nname = "g"\ninterval = "{interval}"\n{points}'


def bus(name, server, keys=""):
    """The line to a ModbusServer."""
    return f'[[bus]]\nname = "{name}"\n{server.bus}\n{keys}\n'


def device(product, key, bus, unit=1, keys=""):
    return f'[[device]]\nproduct = "{product}"\nkey = "{key}"\nbus = "{bus}"\nunit-identifier = {unit}\n{keys}\n'
